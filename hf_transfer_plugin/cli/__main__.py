"""`python -m hf_transfer_plugin.cli` is `hf-tl`."""

from hf_transfer_plugin.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
