"""`python -m kernels.bench`."""

from kernels.bench.program import main

raise SystemExit(main())
