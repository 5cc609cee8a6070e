import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='GatewayState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('paused_at', models.DateTimeField(blank=True, null=True, verbose_name='paused at')),
                ('blocked_until', models.DateTimeField(blank=True, null=True, verbose_name='blocked until')),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='failures in a row')),
                ('probe', models.UUIDField(blank=True, null=True, verbose_name='probe')),
                ('probe_until', models.DateTimeField(blank=True, null=True, verbose_name='probe until')),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='changed at')),
                ('paused_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='paused by')),
            ],
            options={
                'verbose_name': 'gateway state',
                'verbose_name_plural': 'gateway state',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='SmsBatch',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False, verbose_name='id')),
                ('worker', models.CharField(max_length=80, verbose_name='worker')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created at')),
                ('lease_until', models.DateTimeField(verbose_name='lease until')),
                ('outcome', models.CharField(blank=True, choices=[('answered', 'answered'), ('refused', 'refused'), ('never_left', 'never left'), ('no_proof', 'no proof'), ('lost', 'lost')], default='', max_length=10, verbose_name='outcome')),
                ('http_code', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='HTTP code')),
                ('error_code', models.CharField(blank=True, choices=[('connection', 'No connection to the gateway could be made.'), ('certificate', "The gateway's TLS certificate is not trusted."), ('request', 'The request could not be prepared; check the settings.'), ('lease_short', 'Too little of the lease was left to send it safely.'), ('credentials', 'The gateway refused the user name or the password.'), ('payment', 'The gateway asks for payment.'), ('rate_limited', 'The gateway asks to send more slowly.'), ('http_refused', 'The gateway refused the whole request.'), ('rejected', 'The gateway refused this message.'), ('invalid', 'The message can not be put on the wire.'), ('reported_failed', 'The gateway reports that it was not sent.'), ('timeout', 'The gateway did not answer in time.'), ('deadline', 'The request outlived its time and was abandoned.'), ('broken', 'The connection broke before the answer was complete.'), ('http_error', 'The gateway answered with an error that proves nothing.'), ('redirect', 'The gateway answered with a redirect; check the address.'), ('bad_reply', "The gateway's answer could not be read."), ('no_answer', "The gateway's answer does not mention this message."), ('no_id', "The gateway's answer has no id for this message."), ('wrong_types', "The gateway's answer for this message is malformed."), ('contradiction', "The gateway's answer for this message contradicts itself."), ('lost', 'The worker vanished before it recorded the outcome.'), ('held', 'Held back, because a copy of it may have been sent elsewhere.'), ('unforeseen', "An unforeseen error; see the worker's log."), ('expired', 'It expired before it was sent again.'), ('cancelled', 'It was cancelled before it was sent again.')], default='', max_length=20, verbose_name='error')),
                ('closed_at', models.DateTimeField(blank=True, null=True, verbose_name='closed at')),
                ('applied_at', models.DateTimeField(blank=True, null=True, verbose_name='applied at')),
                ('guids', models.JSONField(blank=True, default=list, verbose_name='guids')),
                ('reply', models.JSONField(blank=True, default=list, verbose_name='reply')),
            ],
            options={
                'verbose_name': 'batch',
                'verbose_name_plural': 'batches (journal)',
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['applied_at', 'lease_until'], name='mobilon_sms_batch_open'), models.Index(fields=['created_at'], name='mobilon_sms_batch_created')],
                'constraints': [models.CheckConstraint(condition=models.Q(('outcome__in', ['', 'answered', 'refused', 'never_left', 'no_proof', 'lost'])), name='mobilon_sms_outcome_known'), models.CheckConstraint(condition=models.Q(('outcome', ''), ('closed_at__isnull', False), _connector='OR'), name='mobilon_sms_outcome_closed')],
            },
        ),
        migrations.CreateModel(
            name='SmsMessage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('guid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name='guid')),
                ('number', models.CharField(help_text='E.164: +79135292926', max_length=16, verbose_name='number')),
                ('source', models.CharField(max_length=32, verbose_name='sender')),
                ('text', models.TextField(verbose_name='text')),
                ('status', models.CharField(choices=[('pending', 'pending'), ('sending', 'sending'), ('accepted', 'accepted'), ('sent', 'sent'), ('delivered', 'delivered'), ('failed', 'failed'), ('unknown', 'unknown'), ('expired', 'expired'), ('cancelled', 'cancelled')], default='pending', max_length=10, verbose_name='status')),
                ('priority', models.PositiveSmallIntegerField(choices=[(0, 'high'), (5, 'normal'), (9, 'low')], default=5, verbose_name='priority')),
                ('send_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='send at')),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='due at')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='expires at')),
                ('segments', models.PositiveSmallIntegerField(verbose_name='parts')),
                ('attempts', models.PositiveIntegerField(default=0, verbose_name='attempts')),
                ('resends', models.PositiveIntegerField(default=0, verbose_name='resends')),
                ('gateway_id', models.CharField(blank=True, default='', max_length=64, verbose_name='gateway id')),
                ('gateway_status', models.IntegerField(blank=True, null=True, verbose_name='gateway status')),
                ('error_code', models.CharField(blank=True, choices=[('connection', 'No connection to the gateway could be made.'), ('certificate', "The gateway's TLS certificate is not trusted."), ('request', 'The request could not be prepared; check the settings.'), ('lease_short', 'Too little of the lease was left to send it safely.'), ('credentials', 'The gateway refused the user name or the password.'), ('payment', 'The gateway asks for payment.'), ('rate_limited', 'The gateway asks to send more slowly.'), ('http_refused', 'The gateway refused the whole request.'), ('rejected', 'The gateway refused this message.'), ('invalid', 'The message can not be put on the wire.'), ('reported_failed', 'The gateway reports that it was not sent.'), ('timeout', 'The gateway did not answer in time.'), ('deadline', 'The request outlived its time and was abandoned.'), ('broken', 'The connection broke before the answer was complete.'), ('http_error', 'The gateway answered with an error that proves nothing.'), ('redirect', 'The gateway answered with a redirect; check the address.'), ('bad_reply', "The gateway's answer could not be read."), ('no_answer', "The gateway's answer does not mention this message."), ('no_id', "The gateway's answer has no id for this message."), ('wrong_types', "The gateway's answer for this message is malformed."), ('contradiction', "The gateway's answer for this message contradicts itself."), ('lost', 'The worker vanished before it recorded the outcome.'), ('held', 'Held back, because a copy of it may have been sent elsewhere.'), ('unforeseen', "An unforeseen error; see the worker's log."), ('expired', 'It expired before it was sent again.'), ('cancelled', 'It was cancelled before it was sent again.')], default='', max_length=20, verbose_name='error')),
                ('resolution', models.CharField(blank=True, choices=[('sent', 'it was sent'), ('given_up', 'given up')], default='', max_length=10, verbose_name='resolution')),
                ('resolved_at', models.DateTimeField(blank=True, null=True, verbose_name='decided at')),
                ('tag', models.CharField(blank=True, default='', max_length=64, verbose_name='tag')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='created at')),
                ('accepted_at', models.DateTimeField(blank=True, null=True, verbose_name='accepted at')),
                ('sent_at', models.DateTimeField(blank=True, null=True, verbose_name='sent at')),
                ('delivered_at', models.DateTimeField(blank=True, null=True, verbose_name='delivered at')),
                ('next_check_at', models.DateTimeField(blank=True, null=True, verbose_name='next check at')),
                ('batch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='mobilon_sms.smsbatch', verbose_name='batch')),
                ('created_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('resolved_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='decided by')),
            ],
            options={
                'verbose_name': 'message',
                'verbose_name_plural': 'messages',
                'permissions': [('send_smsmessage', 'Can send, cancel, resend, resolve and pause'), ('view_smsmessage_text', 'Can see the texts of messages')],
                'indexes': [models.Index(fields=['status', 'priority', 'due_at', 'id'], name='mobilon_sms_claim'), models.Index(condition=models.Q(('expires_at__isnull', False)), fields=['status', 'expires_at'], name='mobilon_sms_expiry'), models.Index(condition=models.Q(('next_check_at__isnull', False)), fields=['next_check_at'], name='mobilon_sms_check'), models.Index(fields=['status', 'id', 'resolution'], name='mobilon_sms_status'), models.Index(fields=['number', 'id'], name='mobilon_sms_number'), models.Index(fields=['tag', 'id'], name='mobilon_sms_tag'), models.Index(fields=['gateway_id'], name='mobilon_sms_gateway_id'), models.Index(fields=['created_at'], name='mobilon_sms_created'), models.Index(condition=models.Q(('sent_at__isnull', False)), fields=['sent_at'], name='mobilon_sms_sent'), models.Index(condition=models.Q(('created_by__isnull', False)), fields=['created_by'], name='mobilon_sms_created_by'), models.Index(condition=models.Q(('resolved_by__isnull', False)), fields=['resolved_by'], name='mobilon_sms_resolved_by')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'sending', 'accepted', 'sent', 'delivered', 'failed', 'unknown', 'expired', 'cancelled'])), name='mobilon_sms_status_known'), models.CheckConstraint(condition=models.Q(('priority__in', [0, 5, 9])), name='mobilon_sms_priority_known'), models.CheckConstraint(condition=models.Q(('resolution__in', ['', 'sent', 'given_up'])), name='mobilon_sms_resolution_known'), models.CheckConstraint(condition=models.Q(models.Q(('number', ''), _negated=True), models.Q(('source', ''), _negated=True), models.Q(('text', ''), _negated=True), ('segments__gte', 1)), name='mobilon_sms_complete'), models.CheckConstraint(condition=models.Q(('expires_at__isnull', True), ('expires_at__gt', models.F('send_at')), _connector='OR'), name='mobilon_sms_expires_later'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'sending'), _negated=True), ('batch__isnull', False), _connector='OR'), name='mobilon_sms_sending_in_batch'), models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['accepted', 'sent', 'delivered']), _negated=True), models.Q(models.Q(('gateway_id', ''), _negated=True), ('accepted_at__isnull', False)), _connector='OR'), name='mobilon_sms_accepted_has_id')],
            },
        ),
    ]
