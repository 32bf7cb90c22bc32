"""Where everything is put together: settings, the registry of workflows and activities, servers, lifecycle."""
