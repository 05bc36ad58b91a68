"""Cards in boxes: the models that the tests bind."""
