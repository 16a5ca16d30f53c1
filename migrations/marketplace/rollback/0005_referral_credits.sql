-- Ours goes, which its comment tells; one that the platform had before stays.
do $$
begin
  if obj_description(to_regprocedure('public.get_user_referral_credits(uuid)'), 'pg_proc')
    like 'The sum of referrals.referrer_credit_amount with status ''rewarded'' of this user%' then
    drop function public.get_user_referral_credits(uuid);
  end if;
end $$;
