"""Models behind the pages: page state, translations, homes, communities and their outcomes."""
