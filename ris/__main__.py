"""The `ris` command, and `python -m ris`: loads the product, then hands on to `ris.cli`.

Only the start is here. What importing makes is kept to the end: looking for rubbish in it took a
fifth of the time of every command.
"""

import gc


def main() -> None:
    """Run the command of this process's arguments."""
    gc.disable()
    from ris.cli import main as run  # noqa: PLC0415 - not before the line above

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
