// Receives Clerk webhooks: svix verifies the raw body, then the event is applied in one transaction before the answer.
import { Webhook } from 'svix';

import { applyEvent } from '@/lib/apply';
import type { ClerkEvent } from '@/lib/clerk';

export const runtime = 'nodejs';
export const dynamic = 'force-dynamic';

const webhook = new Webhook(process.env.CLERK_WEBHOOK_SIGNING_SECRET ?? unset());

export async function POST(request: Request) {
  const body = await request.text();
  const messageId = request.headers.get('svix-id') ?? '';
  let event: ClerkEvent;
  try {
    event = webhook.verify(body, {
      'svix-id': messageId,
      'svix-timestamp': request.headers.get('svix-timestamp') ?? '',
      'svix-signature': request.headers.get('svix-signature') ?? '',
    }) as ClerkEvent;
  } catch {
    return Response.json({ error: 'bad signature' }, { status: 400 });
  }
  return Response.json({ outcome: await applyEvent(messageId, event) });
}

/** `next build` loads this module without the secret; a server that runs without it verifies nothing. */
function unset(): string {
  return 'whsec_' + Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64');
}
