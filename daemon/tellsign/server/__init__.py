"""The daemon: an aiohttp application on loopback that answers paired clients."""
