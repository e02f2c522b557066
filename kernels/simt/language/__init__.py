"""From a kernel's source to a program: its types, its text, the order of its blocks, and steps for every statement."""
