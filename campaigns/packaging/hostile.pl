# What a daemon that was taken over could ask of the privileged helper. Usage: hostile.pl COUNT; prints how many orders
# were sent and how many of them were carried out. The booted Debian has perl-base, and nothing else that speaks AF_UNIX.
use strict;
use warnings;
use IO::Socket::UNIX;
use Socket qw(SOCK_STREAM SHUT_WR);

my ($count) = @ARGV;
srand 1;
sub file { local $/; open my $in, '<', $_[0] or die "$_[0]: $!"; return scalar <$in> }
my ($worse, $other, $forged) = map { file("/inside/$_.json") } qw(worse other forged);
my $hash = '0' x 64;
my @orders = (
	"remove\n", "install\n$worse", "install 17\n$worse", "install\n$other", "install\n$forged", "install\n{}",
	"install\n" . ('x' x 70_000), "allow remove\n", "allow $hash\n", "repin\n", "read /etc/shadow\n", "read ../api-key\n",
	"read\n", "remove now\n", "reload a b\n", "reload \$(id)\n", "REMOVE\n", "\n", "", "\0" x 300,
);

sub ask {
	my ($order) = @_;
	# More than eight at a time are turned away: then once more.
	for (1 .. 200) {
		my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => '/run/netify-licensed-install.sock');
		if ($socket) {
			local $SIG{PIPE} = 'IGNORE';
			print {$socket} $order;
			$socket->flush;
			shutdown $socket, SHUT_WR;
			my $answer = join '', <$socket>;
			return $answer if $answer ne '';
		}
		select undef, undef, undef, 0.02;
	}
	return '';
}

# A few reloads that are not waited for: they must not come closer than ten seconds to each other.
for (1 .. 3) {
	next if fork;
	ask("reload\n");
	exit;
}
my @children;
for my $part (0 .. 2) {
	pipe my $from, my $to or die;
	if (!fork) {
		my $done = 0;
		for (my $i = $part; $i < $count; $i += 3) {
			my $order = $i % 7 ? $orders[$i % @orders] : join('', map { chr int rand 256 } 1 .. int rand 400);
			$done++ if ask($order) =~ /"outcome":"(done|content|keys|reloaded)"/;
		}
		print {$to} "$done\n";
		close $to;
		exit;
	}
	close $to;
	push @children, $from;
}
my $done = 0;
for my $from (@children) { $done += <$from> }
print "$count asked, $done done\n";
