from tellsign.cli import app

app()
