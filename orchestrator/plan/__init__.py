"""What is to be sent: the scenario of a user, and the plan with nothing left open."""
