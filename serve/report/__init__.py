"""A readable page of one run: question, answer, claims, pictures, and every step that led there."""
