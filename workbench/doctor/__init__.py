"""`python -m workbench doctor`: what this machine has, and for each thing amiss how to mend it.

A *problem* keeps the lessons from running (exit status 1). A *note* tells of an optional part (exit status 0).
Every check stands alone and imports what it looks at only then, so that a missing or broken package is a line in the
report and never the end of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

from workbench.doctor import hardware, software
from workbench.doctor.finding import Finding, brief, note

CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Python": software.check_python,
    "system": hardware.check_system,
    "disk": hardware.check_disk,
    "packages": software.check_packages,
    "torch": software.check_torch,
    "numba": software.check_numba,
    "C++ compiler": software.check_compiler,
    "kernel compiler": software.check_kernel_compiler,
    "GPU": hardware.check_gpu,
    "data": software.check_data,
    "browser": software.check_browser,
}


def main(argv: list[str] | None = None) -> int:
    """Print the report; return 1 when something keeps the lessons from running, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench doctor", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="time for measuring speed; 0 skips it (default 2)"
    )
    options = parser.parse_args(argv)
    findings = examine(options.seconds)
    print(
        json.dumps([asdict(finding) for finding in findings], indent=1) if options.json else report(findings)
    )
    return int(any(finding.severity == "problem" for finding in findings))


def examine(seconds: float = 2.0) -> list[Finding]:
    """Every check's findings, in the order of the report; a check that fails becomes a note of its own."""
    checks = dict(CHECKS)
    if seconds > 0:
        checks["speed"] = partial(hardware.check_speed, seconds)
    findings = []
    for subject, check in checks.items():
        try:
            findings += list(check())
        except Exception as error:  # whatever is broken here, the rest of the report must come
            findings.append(
                note(subject, f"could not be checked: {brief(error)}", "mend what else is listed first")
            )
    return findings


def report(findings: list[Finding]) -> str:
    """The findings as aligned text, each mend below its finding, and a verdict."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        mark = {"ok": "", "note": "note", "problem": "PROBLEM"}[finding.severity]
        lines.append(f"{mark:>7}  {finding.subject:{width}}  {finding.value}")
        if finding.mend:
            lines.append(f"{'':>7}  {'':{width}}  → {finding.mend}")
    problems = sum(finding.severity == "problem" for finding in findings)
    verdict = f"{problems} to mend before the lessons can run." if problems else "The lessons can run."
    return "\n".join([*lines, "", verdict])
