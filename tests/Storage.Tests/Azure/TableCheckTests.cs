using Azure.Core;
using Azure.Data.Tables;
using Azure.Data.Tables.Sas;
using Granary.Storage.Azure;
using Granary.Storage.Azure.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Tests.Azure;

/// <summary>What an operator reads when the account, a right or the table is missing at the start.</summary>
[Collection(AzuriteCollection.Name)]
public sealed class TableCheckTests(AzuriteFixture azurite)
{
    private readonly string _name = AzuriteFixture.NewName();

    [Fact]
    public async Task A_table_that_is_missing_is_made_and_one_that_exists_is_kept()
    {
        var key = new PartitionKey("a");
        var head = await (await OpenAsync(azurite.Account)).CommitAsync(key, Head.None, [], default);

        var store = await OpenAsync(azurite.Account);

        Assert.Equal(head, await store.OpenAsync(key, default));
        Assert.Equal(TimeSpan.FromSeconds(5), store.ProofLifetime);
        Assert.Equal(99, store.BatchLimit.Rows);
        var entities = azurite.Account.CreateTableClient(new TableClientOptions()).GetTableClient(_name).QueryAsync<TableEntity>();
        Assert.Equal(1, await entities.CountAsync());
    }

    [Fact]
    public async Task An_account_that_is_not_there_is_named_with_its_address()
    {
        var nowhere = new Uri("http://127.0.0.1:1/");
        var account = StorageAccount.FromConnectionString(AzuriteServer.ConnectionStringOf(nowhere, nowhere));

        var error = await Assert.ThrowsAsync<StorageException>(() => OpenAsync(account));

        Assert.Contains($"Table '{_name}' of http://127.0.0.1:1/", error.Message, StringComparison.Ordinal);
        Assert.Contains("does not answer", error.Message, StringComparison.Ordinal);
        Assert.Contains("Check its address, its firewall and the network", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task Wrong_credentials_are_refused_with_the_role_that_is_missing()
    {
        var key = Convert.ToBase64String(new byte[64]);
        var wrong = azurite.Server.ConnectionString.Replace(AzuriteServer.Key, key, StringComparison.Ordinal);

        var error = await Assert.ThrowsAsync<StorageException>(() => OpenAsync(StorageAccount.FromConnectionString(wrong)));

        Assert.Contains("refuses the credentials (403", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Storage Table Data Contributor'", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task A_right_to_read_alone_is_not_enough()
    {
        await OpenAsync(azurite.Account);
        var reader = AccountWith(TableAccountSasPermissions.Read, TableAccountSasResourceTypes.All);

        var error = await Assert.ThrowsAsync<StorageException>(() => OpenAsync(reader));

        Assert.Contains($"Table '{_name}'", error.Message, StringComparison.Ordinal);
        Assert.Contains("cannot be used: the storage account refuses the credentials (403", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_that_is_missing_and_may_not_be_made_is_named()
    {
        var rowsOnly = AccountWith(TableAccountSasPermissions.All, TableAccountSasResourceTypes.Object);

        var error = await Assert.ThrowsAsync<StorageException>(() => OpenAsync(rowsOnly));

        Assert.Contains($"Table '{_name}'", error.Message, StringComparison.Ordinal);
        Assert.Contains("does not exist and cannot be made: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Storage Table Data Contributor'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_without_an_identity_is_told_to_get_one()
    {
        var account = StorageAccount.FromAddresses(
            new Uri("https://127.0.0.1:1/"),
            new Uri("https://127.0.0.1:1/"),
            new NoCredential());

        var error = await Assert.ThrowsAsync<StorageException>(() => OpenAsync(account));

        Assert.Contains("gets no credential for the storage account: No identity here.", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Storage Table Data Contributor'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("granary-rows")]
    [InlineData("1rows")]
    [InlineData("ab")]
    [InlineData("tables")]
    [InlineData("")]
    public async Task A_name_that_no_table_can_have_is_refused(string name)
    {
        var options = new TableStoreOptions { TableName = name };

        var error = await Assert.ThrowsAsync<ArgumentException>(
            () => TablePartitionStore.OpenAsync(azurite.Account, options, TimeProvider.System, default));

        Assert.Contains($"'{name}' is no name of a table", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_proof_lasts_longer_than_nothing() =>
        Assert.Contains("lifetime of a proof", new TableStoreOptions { ProofLifetime = TimeSpan.Zero }.Error(), StringComparison.Ordinal);

    /// <summary>Returns the account with some of its rights.</summary>
    private StorageAccount AccountWith(TableAccountSasPermissions permissions, TableAccountSasResourceTypes types)
    {
        var sas = azurite.Account.CreateTableClient(new TableClientOptions())
            .GetSasBuilder(permissions, types, TimeProvider.System.GetUtcNow().AddHours(1));
        var signature = sas.Sign(new TableSharedKeyCredential(AzuriteServer.Account, AzuriteServer.Key));
        return StorageAccount.FromConnectionString(
            $"TableEndpoint={azurite.Server.Tables}{AzuriteServer.Account};SharedAccessSignature={signature}");
    }

    private Task<TablePartitionStore> OpenAsync(StorageAccount account) =>
        TablePartitionStore.OpenAsync(account, new TableStoreOptions { TableName = _name }, TimeProvider.System, default);

    private sealed class NoCredential : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            throw new global::Azure.Identity.CredentialUnavailableException("No identity here.\nMore lines.");

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            throw new global::Azure.Identity.CredentialUnavailableException("No identity here.\nMore lines.");
    }
}
