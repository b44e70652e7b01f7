"""Reading second: ask a question about a medical image and get an answer with its evidence."""
