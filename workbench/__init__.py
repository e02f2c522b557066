"""The NeuralFabric Workbench: readable components and the instruments around them."""
