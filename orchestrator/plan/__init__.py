"""The scenario of a user, and the plan made of it."""
