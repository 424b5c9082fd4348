"""`python -m orchestrator.cli.main`: the command `semcom`."""

from orchestrator.cli.main import main

main()
