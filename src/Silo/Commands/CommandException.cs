namespace Granary.Silo.Commands;

/// <summary>A command failed. The message tells the user why, and what to do.</summary>
internal sealed class CommandException(string message) : Exception(message);
