"""Answers questions about a small collection of documents, with their passages as evidence."""
