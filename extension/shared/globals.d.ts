// For the type checker only; nothing loads it.
declare var browser: typeof chrome;
