"""The benchmark's own modules; bench/run is the program."""
