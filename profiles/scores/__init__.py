"""Churn and value as numbers: features, fitting, calibration, and what a score is worth."""
