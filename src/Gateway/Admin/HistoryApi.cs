using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Admin;

/// <summary>The part of the administration's API that returns the history of a tag and undoes its moves.</summary>
internal sealed class HistoryApi(
    IGrainFactory grains,
    GrainCalls calls,
    RequestOrigin origins,
    AdminBody body,
    IOptions<ManifestOptions> manifestOptions)
{
    private const int DefaultLimit = 50;

    /// <summary><c>GET …/-/history?tag=&amp;before=&amp;limit=</c></summary>
    public async Task ReadAsync(HttpContext http, string name)
    {
        var query = http.Request.Query;
        if (await ParseAsync(http, name, query["tag"].ToString()) is not var (repository, tag))
        {
            return;
        }

        var (before, limit) = (query["before"].ToString(), query["limit"].ToString());
        if (!TryParsePage(before, limit, out var from, out var count, out var wrong))
        {
            await AdminAnswers.RefuseAsync(http, wrong);
            return;
        }

        var grain = grains.GetGrain<IRepositoryGrain>(repository.Value);
        var history = await calls.RepeatAsync(
            () => grain.ReadTagHistory(tag, from, count, http.RequestAborted),
            http.RequestAborted);
        await (history is null
            ? ErrorResponse.WriteAsync(http, RegistryError.ManifestUnknown, HistoryText.Unknown(repository, tag, from))
            : AdminAnswers.WriteAsync(http, HistoryJson.Of(repository, tag, history)));
    }

    /// <summary><c>POST …/-/tags/&lt;tag&gt;/undo</c></summary>
    public async Task UndoAsync(HttpContext http, string name, string tagText)
    {
        // :: Step 1: parse the path and the headers.
        if (await ParseAsync(http, name, tagText) is not var (repository, tag))
        {
            return;
        }

        if (!TryParseCondition(http, out var condition))
        {
            await AdminAnswers.RefuseAsync(
                http,
                "An undo may have If-Match with '*' or the digest in quotes that the tag points at, such as \"sha256:…\", and no other " +
                "condition.");
            return;
        }

        // :: Step 2: read the body, which may be absent.
        var target = default(UndoTarget);
        if (!RequestBody.IsAbsent(http))
        {
            if (await body.ReadAsync(http) is not { } document)
            {
                return;
            }

            target = HistoryJson.ReadTarget(document);
        }

        // :: Step 3: the repository grain finds the manifest and moves the tag in one decision.
        var command = new UndoTag
        {
            Origin = origins.Of(http, ChangeCause.Undo),
            Tag = tag,
            Digest = target.Digest,
            Line = target.Line,
            Condition = condition,
            Sparse = manifestOptions.Value.Sparse,
        };
        var grain = grains.GetGrain<IRepositoryGrain>(repository.Value);
        var answer = await calls.SendAsync(command, attempt => grain.UndoTag(attempt, CancellationToken.None), http.RequestAborted);
        await AnswerAsync(http, repository, command, answer);
    }

    private static Task AnswerAsync(HttpContext http, RepositoryName repository, UndoTag command, UndoTagAnswer answer)
    {
        var tag = command.Tag;
        return answer switch
        {
            TagUndone undone => AdminAnswers.WriteAsync(http, HistoryJson.Of(repository, tag, undone)),
            UndoTagUnknown => ErrorResponse.WriteAsync(http, RegistryError.ManifestUnknown, HistoryText.Unknown(repository, tag)),
            UndoTargetUnknown =>
                ErrorResponse.WriteAsync(http, RegistryError.UndoTargetUnknown, HistoryText.UnknownTarget(repository, command)),
            UndoToNothing => ErrorResponse.WriteAsync(http, RegistryError.UndoToNothing, HistoryText.ToNothing(repository, command)),
            UndoConditionFailed { Current: var current } => ErrorResponse.RefuseConditionAsync(http, current),
            UndoManifestGone gone => RefuseGoneAsync(http, tag, gone),
            UndoContentMissing missing => RefuseMissingAsync(http, missing),
            _ => throw new InvalidOperationException($"{answer} is not an answer to an undo."),
        };
    }

    private static Task RefuseGoneAsync(HttpContext http, Tag tag, UndoManifestGone gone) => ErrorResponse.WriteAsync(
        http,
        RegistryError.UndoManifestGone,
        HistoryText.Gone(tag, gone),
        json =>
        {
            json.WriteString("digest", gone.Digest.Value);
            if (gone.Deletion is { } line)
            {
                json.WriteString("since", line.Time);
                json.WriteString("cause", HistoryJson.Name(line.Origin.Cause));
                json.WriteString("position", line.Position.ToString());
            }
        });

    private static Task RefuseMissingAsync(HttpContext http, UndoContentMissing answer) => ErrorResponse.WriteAsync(
        http,
        RegistryError.UndoContentMissing,
        HistoryText.Missing(answer),
        json =>
        {
            json.WriteString("digest", answer.Digest.Value);
            json.WriteStartArray("missing");
            foreach (var digest in answer.Missing)
            {
                json.WriteStringValue(digest.Value);
            }

            json.WriteEndArray();
        });

    /// <summary>Parses the repository and the tag. Returns null, and has refused the request, if one of them is invalid.</summary>
    private static async Task<(RepositoryName Repository, Tag Tag)?> ParseAsync(HttpContext http, string name, string tagText)
    {
        if (!RepositoryName.TryParse(name, out var repository))
        {
            await ErrorResponse.WriteAsync(
                http,
                RegistryError.NameInvalid,
                $"'{HistoryText.Shorten(name)}' is not a repository's name, such as library/app.");
            return null;
        }

        if (!Tag.TryParse(tagText, out var tag))
        {
            await AdminAnswers.RefuseAsync(
                http,
                tagText.Length == 0
                    ? "tag is missing: the request has to name a tag, such as ?tag=v1."
                    : $"'{HistoryText.Shorten(tagText)}' is not a tag, such as v1.");
            return null;
        }

        return (repository, tag);
    }

    private static bool TryParsePage(
        string before,
        string limit,
        out LogPosition? from,
        out int count,
        [NotNullWhen(false)] out string? wrong)
    {
        (from, count, wrong) = (null, DefaultLimit, null);
        if (before.Length > 0)
        {
            if (!LogPosition.TryParse(before, out var position))
            {
                wrong = $"before: '{HistoryText.Shorten(before)}' is not the position of a line, such as 418.0. Take it from the member " +
                    "next of the page before.";
                return false;
            }

            from = position;
        }

        if (limit.Length > 0
            && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count)
                || count is < 1 or > TagHistory.MaxLimit))
        {
            wrong = $"limit: '{HistoryText.Shorten(limit)}' is not a number of lines from 1 to {TagHistory.MaxLimit}, such as " +
                $"{DefaultLimit}.";
            return false;
        }

        return true;
    }

    private static bool TryParseCondition(HttpContext http, out TagCondition? condition)
    {
        var (match, noneMatch) = (http.Request.Headers.IfMatch, http.Request.Headers.IfNoneMatch);
        condition = null;
        if (noneMatch.Count > 0)
        {
            return false;
        }

        if (match.Count == 0)
        {
            return true;
        }

        if (!EntityTags.TryParse(match.ToString(), out var entities))
        {
            return false;
        }

        condition = new TagIsOneOf(entities.IsAny ? null : [.. entities.Digests]);
        return true;
    }
}
