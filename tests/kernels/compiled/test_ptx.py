"""What is read off PTX, instruction by instruction, on text written by hand."""

import pytest

from kernels.compiled import Compiled, ptx

TEXT = """
//
.version 9.5
.target sm_90
.visible .entry _ZN4kernel(
	.param .u64 _ZN4kernel_param_0
)
.maxntid 128, 1, 1
{
	.reg .pred 	%p<3>;
	.reg .f64 	%fd<3>;
	.loc	1 7 0
	ld.param.u64 	%rd1, [_ZN4kernel_param_0];
	.loc	1 8 1
	@%p1 bra 	$L__BB0_2;  // the rest is for some
$L__BB0_2:
	.loc	1 0 1
	{ // callseq 0, 0
	.reg .b32 temp_param_reg;
	call.uni (retval0),
	helper,
	(
	param0
	);
	} // callseq 0
	.loc	1 1000023 1, function_name $L__info_string0, inlined_at 1 8 1
	// begin inline asm
	{cvt.f32.f16 %f1, %rs1;}
	// end inline asm
	ret;
}
.func  (.param .b32 func_retval0) helper(
	.param .b64 helper_param_0
)
{
	exit;
}
	.file	1 "/somewhere/kernel.py"
"""


def test_instructions_come_with_their_lines():
    assert list(ptx.instructions(TEXT)) == [
        (7, "ld.param.u64 %rd1, [kernel_param_0];"),
        (8, "@%p1 bra $L__BB0_2;"),
        (0, "call.uni (retval0), helper, ( param0 );"),
        (1000023, "cvt.f32.f16 %f1, %rs1;"),
        (1000023, "ret;"),
        (0, "exit;"),
    ]
    assert list(ptx.instructions("")) == []


@pytest.mark.parametrize(
    ("line", "space", "width"),
    [
        ("ld.global.f32 \t%f1, [%rd1];", "global", 4),
        ("@%p1 ld.global.nc.v4.f32 {%f1,%f2,%f3,%f4}, [%rd1];", "global", 16),
        ("ld.global.cs.v2.u32 {%r1,%r2}, [%rd1+8];", "global", 8),
        ("ld.global.L1::no_allocate.L2::128B.b64 %rd1, [%rd2];", "global", 8),
        ("ld.volatile.global.u8 %rs1, [%rd1];", "global", 1),
        ("ld.global.v8.b32 {%r1,%r2,%r3,%r4,%r5,%r6,%r7,%r8}, [%rd1];", "global", 32),
        ("@!%p12 ld.u16 %rs1, [%rd1];", "global", 2),  # generic
        ("ld.shared.f32 %f1, [%r1];", "shared", 4),
        ("ld.shared.v4.f32 {%f1,%f2,%f3,%f4}, [%r1];", "shared", 16),
        ("ld.volatile.shared::cta.f64 %fd1, [%r1];", "shared", 8),
        ("ld.param.u64 %rd1, [kernel_param_0];", None, 8),
        ("ld.local.f32 %f1, [%r1];", None, 4),
        ("ldmatrix.sync.aligned.m8n8.x4.b16 {%r1}, [%r2];", None, 2),
        ("st.global.f32 [%rd1], %f1;", None, 4),
        ("// ld.global.f32 %f1, [%rd1];", None, 4),
    ],
)
def test_widths_are_read_off_the_instruction(line, space, width):
    for asked in ("global", "shared"):
        expected = {width: 1} if asked == space else {}
        assert ptx.widths(f"\t{line}\n\tret;", "ld", asked) == expected


def test_widths_are_counted_in_order():
    text = "\n".join(["st.global.v4.f32 [%rd1], {%f1,%f2,%f3,%f4};", "st.global.f32 [%rd1], %f1;"] * 3)
    assert ptx.widths(text, "st", "global") == {4: 3, 16: 3}
    assert list(ptx.widths(text, "st", "global")) == [4, 16]


def test_precision_is_read_off_the_instruction_not_the_register():
    def doubles(*lines: str) -> list[str]:
        text = "\n".join(f"\t{line}" for line in lines)
        return Compiled("k", "sm_90", text, 8, 0, 0, 0).float64

    assert doubles("mul.f32 \t%f65, %f63, %f64;") == []
    assert doubles(".reg .f64 \t%fd<3>;", "// add.f64 %fd1, %fd1, %fd1;") == []
    assert len(doubles("cvt.f64.f32 \t%fd1, %f1;", "@%p1 fma.rn.f64 %fd1, %fd1, %fd1, %fd1;")) == 2
