"""The published limits agree with the published peaks, which are computed from them."""

from dataclasses import replace

import pytest

from kernels.gpus import GPUS, RATES, architecture, find
from kernels.occupancy import LIMITS

# TFLOP/s in FP32 and FP64 as NVIDIA prints them, from the same documents as the limits; None where it prints none
PEAKS = {
    "T4": (8.1, None),
    "RTX 2080 Ti": (14.2, None),
    "A100": (19.5, 9.7),
    "A100 80GB": (19.5, 9.7),
    "RTX 3090": (35.6, None),
    "RTX 4090": (82.6, None),
    "L4": (30.3, None),
    "L40S": (91.6, None),
    "H100": (67.0, 34.0),
    "H200": (67.0, 34.0),
}


@pytest.mark.parametrize("name", PEAKS)
def test_peaks_are_the_published_ones(name):
    fp32, fp64 = PEAKS[name]
    assert GPUS[name].peak_fp32 == pytest.approx(fp32 * 1e12, rel=0.02)
    if fp64 is not None:
        assert GPUS[name].peak_fp64 == pytest.approx(fp64 * 1e12, rel=0.02)


def test_only_the_laptop_has_no_published_peak():
    assert set(GPUS) - set(PEAKS) == {"RTX 4060 Laptop"}


@pytest.mark.parametrize("gpu", GPUS.values(), ids=GPUS)
def test_every_gpu_is_whole_and_names_its_source(gpu):
    assert gpu.source
    assert gpu.rates is RATES[gpu.arch]
    assert gpu.limits is LIMITS[gpu.arch]
    assert 10 < gpu.sms < 200
    assert 1e9 < gpu.boost_hz < 3e9
    assert 1e11 < gpu.memory_bandwidth < 1e13
    assert gpu.l2_bytes is None or gpu.l2_bytes > 1 << 20
    assert gpu.peak_fp64 < gpu.peak_fp32


def test_level_2_bandwidth_only_where_it_is_published():
    assert GPUS["A100"].l2_bandwidth == pytest.approx(7.22e12, rel=1e-3)
    assert GPUS["H200"].l2_bandwidth is None


def test_every_architecture_that_can_be_compiled_for_has_rates():
    assert set(RATES) == set(LIMITS)


def test_gpus_are_found_by_name():
    assert find("T4").arch == "sm_75"
    slower = replace(GPUS["T4"], name="mine", boost_hz=1e9)
    assert find(slower) is slower
    for gpu in ("T5", "t4", "", "sm_75", None):
        with pytest.raises(ValueError, match=r"gpu: expected one of T4, .*H200, got"):
            find(gpu)


def test_architectures_are_found_by_either_name():
    assert architecture("sm_86") == "sm_86"
    assert architecture("RTX 4060 Laptop") == "sm_89"
    for name in ("sm_61", "T5", "", None):
        with pytest.raises(ValueError, match=r"arch: expected an architecture \(sm_75, .*T4.* got"):
            architecture(name)
