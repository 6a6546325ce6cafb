"""Page models: state, communities and outcomes without any layout."""
