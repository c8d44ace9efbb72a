"""The worker process: reads frames, runs handlers, answers. Users import nothing from here."""
