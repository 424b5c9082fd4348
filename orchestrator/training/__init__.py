"""Training jobs: teacher, robust knowledge distillation, evaluation.

The only room with optimisers. It composes the very modules that are deployed; nothing imports
it: jobs start it as a process (`python -m orchestrator.training`).
"""
