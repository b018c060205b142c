"""Where the content of a model file comes from: web addresses, and packages of PyPI and npm."""
