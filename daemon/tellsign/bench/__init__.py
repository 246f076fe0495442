"""`tellsign bench`: how fast this machine looks at pictures, step by step and over HTTP."""
