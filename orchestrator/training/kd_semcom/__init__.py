"""Training of codecs of sentences: teacher, students by distillation, baselines, DeepSC."""
