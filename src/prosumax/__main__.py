"""Command line interface for `python -m prosumax`."""

from prosumax.cli import main

if __name__ == "__main__":
    main()
