using System.Globalization;
using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Admin;

/// <summary>The part of the administration's API that starts, lists, shows and cancels operations.</summary>
internal sealed class OperationsApi(IGrainFactory grains, AdminBody body, RequestOrigin origins)
{
    private const int MaxList = 50;

    private IOperationsGrain Operations => grains.GetGrain<IOperationsGrain>(0);

    public async Task StartAsync(HttpContext http)
    {
        if (await body.ReadAsync(http) is not { } document)
        {
            return;
        }

        var asked = OperationJson.ReadStart(document);
        if (asked.FindFault() is { } wrong)
        {
            await AdminAnswers.RefuseAsync(http, wrong);
            return;
        }

        var started = await Operations.Start(asked.ToRequest(origins.Of(http, ChangeCause.Delete)), http.RequestAborted);
        if (!started.IsNew)
        {
            var id = started.Operation.Id;
            await ErrorResponse.WriteAsync(http, RegistryError.OperationInTheWay, detail: json => json.WriteString("id", id));
            return;
        }

        http.Response.StatusCode = StatusCodes.Status202Accepted;
        http.Response.Headers.Location = $"{AdminApi.Prefix}/v1/operations/{started.Operation.Id}";
        await AdminAnswers.WriteAsync(http, OperationJson.Of(started.Operation));
    }

    public async Task ListAsync(HttpContext http)
    {
        OperationKind? kind = null;
        if (http.Request.Query["kind"] is [{ Length: > 0 } text])
        {
            if (!Enum.TryParse<OperationKind>(text, ignoreCase: true, out var parsed))
            {
                var kinds = string.Join(", ", Enum.GetNames<OperationKind>()).ToLowerInvariant();
                await AdminAnswers.RefuseAsync(http, $"kind has to be one of {kinds}.");
                return;
            }

            kind = parsed;
        }

        var asked = http.Request.Query["limit"];
        var hasLimit = int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        var limit = hasLimit ? Math.Min(number, MaxList) : MaxList;
        await AdminAnswers.WriteAsync(http, OperationJson.Of(await Operations.List(kind, limit, http.RequestAborted)));
    }

    public Task FindAsync(HttpContext http, string id) => AnswerAsync(http, Operations.Find(id, http.RequestAborted));

    public Task CancelAsync(HttpContext http, string id) => AnswerAsync(http, Operations.Cancel(id, http.RequestAborted));

    private static async Task AnswerAsync(HttpContext http, Task<OperationStatus?> find)
    {
        if (await find is { } operation)
        {
            await AdminAnswers.WriteAsync(http, OperationJson.Of(operation));
        }
        else
        {
            await ErrorResponse.WriteAsync(http, RegistryError.OperationUnknown);
        }
    }
}
