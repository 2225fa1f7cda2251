namespace Granary.Silo.Commands;

/// <summary>A command cannot be done. The message is for who typed it.</summary>
internal sealed class CommandException(string message) : Exception(message);
