"""The engine process, as the emulator sees it."""
