"""What was forecast of a transfer, held against what training over paired seeds found."""
