"""The queue of training jobs: a store, a supervisor that starts and watches them, and views."""
