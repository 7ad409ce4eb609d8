# What a Request Tracker needs to be Patchline's ticket system: read once by rt-setup-database, as its initial data.
# Source: RT 5.0, docs/initialdata.pod. The rights are all that docs/psa/request-tracker.md asks for, and no more.
use strict;
use warnings;

our (@Queues, @CustomFields, @Users, @ACL, @Scrips, @Final);

my $queue = 'Patching';

@Queues = ({ Name => $queue, Description => 'Updates that fail, and what else a machine asks for' });

@CustomFields = (
    {
        Name        => 'CorrelationKey',
        Type        => 'FreeformSingle',
        Description => 'Which problem this is; set by Patchline, never by hand',
        Queue       => [$queue],
    },
    { Name => 'Client', Type => 'FreeformSingle', Description => 'Whose machines', Queue => [$queue] },
);

open my $file, '<', $ENV{PATCHLINE_RT_PASSWORD_FILE} or die "no password for the technician: $!";
chomp(my $password = <$file>);
close $file;

@Users = (
    { Name => 'patchline', RealName => 'Patchline', EmailAddress => 'patchline@patchline.invalid', Privileged => 1 },
    {
        Name         => 'technician',
        RealName     => 'A technician',
        EmailAddress => 'technician@patchline.invalid',
        Privileged   => 1,
        Password     => $password,
    },
);

my @ours   = qw(SeeQueue ShowTicket ShowTicketComments CreateTicket CommentOnTicket ReplyToTicket ModifyTicket
    SeeCustomField SetInitialCustomField);
my @theirs = (@ours, qw(ModifyCustomField OwnTicket DeleteTicket ShowOutgoingEmail));
@ACL = (
    (map { { Right => $_, UserId => 'patchline',  Queue => $queue } } @ours),
    (map { { Right => $_, UserId => 'technician', Queue => $queue } } @theirs),
);

# Tells where the environment says what happens to a ticket: facts only, no words of anyone. Signed over the very bytes.
@Scrips = ({
    Queue             => $queue,
    Description       => 'Tell Patchline what happens',
    ScripCondition    => 'On Transaction',
    ScripAction       => 'User Defined',
    Template          => 'Blank',
    Stage             => 'TransactionCreate',
    CustomPrepareCode => 'return $ENV{PATCHLINE_HOOK_URL} ? 1 : 0;',
    CustomCommitCode  => <<'SCRIP',
require Digest::SHA; require HTTP::Tiny; require JSON;
my ($ticket, $change) = ($self->TicketObj, $self->TransactionObj);
my $body = JSON->new->canonical->utf8->encode({
    ticket => int $ticket->id,
    status => $ticket->Status,
    type   => $change->Type,
    field  => $change->Field,
    old    => $change->Type eq 'Status' ? $change->OldValue : undef,
    new    => $change->Type eq 'Status' ? $change->NewValue : undef,
    txn    => int $change->id,
    key    => $ticket->FirstCustomFieldValue('CorrelationKey'),
    at     => $change->CreatedObj->W3CDTF(Timezone => 'UTC'),
    by     => $change->CreatorObj->Name,
});
my $answer = HTTP::Tiny->new(timeout => 3)->post($ENV{PATCHLINE_HOOK_URL}, {
    content => $body,
    headers => {
        'content-type'   => 'application/json',
        'x-rt-signature' => Digest::SHA::hmac_sha256_hex($body, $ENV{PATCHLINE_HOOK_SECRET}),
    },
});
RT->Logger->error("the hook answers $answer->{status}") unless $answer->{success};
return 1;
SCRIP
});

# A token of each user, in a file of its own: RT keeps only its hash.
@Final = (sub {
    for my $name (qw(patchline technician)) {
        my $user = RT::CurrentUser->new(RT->SystemUser);
        $user->Load($name);
        my $token = RT::AuthToken->new(RT->SystemUser);
        my ($made, $why, $text) = $token->Create(Owner => $user->id, Description => 'made with the database');
        die "no token for $name: $why" unless $made;
        my $mask = umask 0077;
        open my $kept, '>', "$ENV{PATCHLINE_RT_PLACE}/$name.token" or die "no place for the token of $name: $!";
        print {$kept} $text;
        close $kept or die "the token of $name: $!";
        umask $mask;
    }
});

1;
