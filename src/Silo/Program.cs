using Granary.Silo.Commands;

return await GranaryCommand.RunAsync(args);
