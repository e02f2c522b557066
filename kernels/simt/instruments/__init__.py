"""What watches the machine: how many pieces of memory a request takes, and who touched a byte before whom."""
