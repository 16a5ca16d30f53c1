drop function if exists public.get_user_referral_credits(uuid);
