"""Why a model predicts what it predicts: the attribution of its outputs to pixels and words."""
