"""What runs a program: lanes and what they remember, memory, barriers, turns, and reports of what goes wrong."""
