"""`semcom`, also as `python -m orchestrator`: the commands, or a line that says what is missing."""

from semcom.extras import imports_for

with imports_for("semcom", "orchestrator"):
    from orchestrator.cli.main import main

if __name__ == "__main__":
    main()
