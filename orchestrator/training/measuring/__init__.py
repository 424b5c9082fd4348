"""Networks that measure what a run received; they compute in a process of their own."""
