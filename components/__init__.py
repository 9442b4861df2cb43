"""One component resource a file. A component knows neither the stack nor the cloud it is declared for."""
