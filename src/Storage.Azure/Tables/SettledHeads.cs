namespace Granary.Storage.Azure.Tables;

/// <summary>Reads heads whose rows are those of their version, and finishes what a process has begun and not ended.</summary>
internal sealed class SettledHeads(PartitionTable table, RedoApplier redo, PartitionDrop drop)
{
    /// <summary>Reads the head; null if the partition does not exist.</summary>
    public async ValueTask<HeadRow?> FindAsync(string partition, CancellationToken cancellationToken)
    {
        while (true)
        {
            var head = await table.FindHeadAsync(partition, cancellationToken);
            if (head is null or { IsSettled: true })
            {
                return head;
            }

            if (head.IsDropped)
            {
                await drop.FinishAsync(partition, head, cancellationToken);
            }
            else
            {
                await redo.HelpAsync(partition, head, cancellationToken);
            }
        }
    }
}
