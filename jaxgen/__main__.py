"""`python -m jaxgen` is `jaxgen`."""

from jaxgen.cli import main

main()
