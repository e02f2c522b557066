"""`python -m workbench.doctor`."""

import sys

from workbench.doctor import main

sys.exit(main())
