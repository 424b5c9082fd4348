"""Ray as an engine: evaluations, processes of a sweep and trainings. Nothing else imports Ray."""
