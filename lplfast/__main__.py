"""`python -m lplfast` is `lplfast`."""

from .cli import main

raise SystemExit(main())
